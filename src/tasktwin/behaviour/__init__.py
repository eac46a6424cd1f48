"""What happens: worlds, lifecycles, verbs and who may do what. It knows neither HTTP nor files."""
