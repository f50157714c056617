"""What a sheet comes to: every place of the result, checked before anything is built."""
