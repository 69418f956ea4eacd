"""Environment variables of many contexts and projects."""
