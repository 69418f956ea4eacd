"""The output of the steps of a job."""
