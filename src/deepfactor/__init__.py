"""deepfactor: deep-learning stock factors for Chinese A-shares, from market data to tomorrow's holdings."""

__version__ = "0.2.0"
