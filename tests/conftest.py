"""Makes the helpers beside it (`worlds`) importable from every test folder."""
