"""The ground floor: specifications, kinds, errors, atomic files. Imports nothing of the house."""
