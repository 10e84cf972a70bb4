"""What a model reads of a market, a file a set. Each gives `Features`; windows are gathered later, by index."""
