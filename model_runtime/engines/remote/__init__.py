"""What the engines on other machines share. No torch here."""
