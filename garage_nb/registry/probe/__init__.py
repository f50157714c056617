"""The probe: opens any architecture by watching one short forward, and proves what it says of every block."""
