"""What several helpers use: retries, concurrency, deadlines."""
