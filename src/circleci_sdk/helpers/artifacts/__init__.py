"""The artifacts of jobs: selection and download."""
