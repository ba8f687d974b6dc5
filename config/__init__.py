"""Django glue: settings, urls, celery, embedded servers, the base of errors."""
