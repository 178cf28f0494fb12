"""Several runs, or several evaluations, side by side: `paired.compare` pairs two, `page.write_several` shows them."""
