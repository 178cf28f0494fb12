"""C++ programs: `cpp` compiles and runs them by way of `runner`, a script in a process without privileges."""
