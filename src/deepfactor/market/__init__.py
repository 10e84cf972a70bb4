"""China's trading rules as dated data, each with its source: codes and boards, price limits, lots, fees."""
