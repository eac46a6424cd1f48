"""Between a client and a deployment: everything passes both ways unchanged, and is held against the contract."""
