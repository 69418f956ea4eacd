"""Usage exports, row by row."""
