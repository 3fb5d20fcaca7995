"""What is done beside an `up`: measuring, and writing the settings reference."""
