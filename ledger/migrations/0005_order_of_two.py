"""Two postings are put in order without a query: the function loaded again."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_one_proof_of_the_book")]

    operations = [migrate_file("ledger", "post")]
