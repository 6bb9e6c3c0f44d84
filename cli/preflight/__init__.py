"""What must be right on an account before something is deployed to it: asked beforehand, because AWS says it an hour later, or never."""
