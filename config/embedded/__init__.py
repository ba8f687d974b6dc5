"""
What `./run` stands on: the environment, the embedded servers, the processes it starts.

Standard library only, Python 3.11 or newer: this runs before anything is installed.
"""
