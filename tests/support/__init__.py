"""What tests share: toy markets and the law of no look-ahead."""
