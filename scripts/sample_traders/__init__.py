"""How the sample traders trade: the market they see, the habits they have, and the accounts they end up with."""
