#!/bin/bash
BASE="https://api.uumit.com"
API_KEY="uuagent_sk_REPLACE_ME"
USER_ID="REPLACE_WITH_USER_UUID"
HEADERS=(-H "X-Api-Key: $API_KEY" -H "X-Platform-User-Id: $USER_ID")
echo "=== 1. Verify connectivity (public endpoint) ==="
curl -sS "$BASE/api/v1/public/community-stats" | jq '.code'
echo "=== 2. Verify authentication (wallet overview) ==="
curl -sS "$BASE/api/v1/wallet" "${HEADERS[@]}" | jq '.code, .data'
echo "=== 3. Search capabilities ==="
curl -sS "$BASE/api/v1/capabilities?page=1&page_size=3" "${HEADERS[@]}" | jq '.data.items[].name'
echo "=== 4. A2A JSON-RPC create transaction ==="
RESULT=$(curl -sS -X POST "$BASE/a2a" \
-H "Content-Type: application/json" "${HEADERS[@]}" \
-d "{
\"jsonrpc\": \"2.0\",
\"id\": \"demo-1\",
\"method\": \"tasks/send\",
\"params\": { \"capability_id\": \"$CAP_ID\" }
}")
echo "$RESULT" | jq
TASK_ID=$(echo "$RESULT" | jq -r '.result.id // empty')
if [ -n "$TASK_ID" ]; then
echo "=== 5. Query transaction status ==="
curl -sS -X POST "$BASE/a2a" \
-H "Content-Type: application/json" "${HEADERS[@]}" \
-d "{
\"jsonrpc\": \"2.0\",
\"id\": \"demo-2\",
\"method\": \"tasks/get\",
\"params\": { \"id\": \"$TASK_ID\" }
}" | jq
fi
