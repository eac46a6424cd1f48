"""The phases that know what an API is for: walks through its lifecycles, and what its protocol promises."""
