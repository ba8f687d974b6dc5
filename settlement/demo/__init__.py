"""The demo: a payment institution of our own making, and its last business day done for real."""
