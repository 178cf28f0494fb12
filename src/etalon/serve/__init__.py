"""What Etalon offers over HTTP."""
