"""What a protocol promises and no schema tells: idempotency, races, pages, limits, streams, JSON-RPC."""
