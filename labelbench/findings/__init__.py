"""What published boards say together: verdicts, the numbers behind them, and what controls say of the cause."""
