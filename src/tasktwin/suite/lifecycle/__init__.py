"""Walks through the lifecycles: each transition, each refusal, and values at the edges of what a request may hold."""
