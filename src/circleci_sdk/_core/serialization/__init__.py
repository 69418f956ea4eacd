"""Arguments into requests and responses into models. Pure: nothing here awaits."""
