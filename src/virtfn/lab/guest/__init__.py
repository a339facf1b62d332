"""What runs inside the lab's guest. Only the standard library and the programs in the guest's image are used."""
