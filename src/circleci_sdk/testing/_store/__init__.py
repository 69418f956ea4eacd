"""What the fake knows: organizations, projects, runs. Nothing here knows of requests or JSON."""
