"""What verbs answer with: values that keep their numbers and show themselves."""
