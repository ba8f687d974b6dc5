"""A merchant is never deleted: facts prove their keys once for each statement."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("merchants", "0007_names_of_names")]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_merchant"
            " FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change()",
            "DROP TRIGGER refuse_delete ON public.merchants_merchant",
        )
    ]
