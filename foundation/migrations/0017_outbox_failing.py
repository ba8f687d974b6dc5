from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0016_history_origin'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state__in', ['PENDING', 'SENT']), ('tries__gte', 3)), fields=['created_at'], name='outbox_failing'),
        ),
    ]
