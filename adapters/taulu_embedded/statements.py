"""Every SQL statement of the adapter. All are constants: nothing is built per request.

Live means not expired: `expire_us` is null or later than the time that is passed in.
"""

from __future__ import annotations

FORMAT_VERSION = 1
"""Of the tables below; kept in `PRAGMA user_version`."""

APPLICATION_ID = 0x5461756C
"""`Taul` in ASCII; kept in `PRAGMA application_id`, where `file` and SQLite's tools see it."""

CREATE_FORMAT = """
CREATE TABLE tables (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  shape TEXT NOT NULL
) STRICT;

CREATE TABLE clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  last_version INTEGER NOT NULL
) STRICT;
INSERT INTO clock VALUES (1, 0);

CREATE TABLE rows (
  table_id INTEGER NOT NULL,
  hash INTEGER NOT NULL,
  pk BLOB NOT NULL,
  ck BLOB NOT NULL,
  version INTEGER NOT NULL,
  expire_us INTEGER,
  body BLOB NOT NULL,
  PRIMARY KEY (table_id, hash, pk, ck)
) STRICT, WITHOUT ROWID;
CREATE INDEX rows_expiry ON rows (expire_us) WHERE expire_us IS NOT NULL;

CREATE TABLE tokens (
  table_id INTEGER NOT NULL,
  nonce TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  result BLOB NOT NULL,
  expire_us INTEGER NOT NULL,
  PRIMARY KEY (table_id, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_expiry ON tokens (expire_us);

CREATE TABLE counters (
  table_id INTEGER NOT NULL,
  pk BLOB NOT NULL,
  ck BLOB NOT NULL,
  value INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (table_id, pk, ck)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
  table_id INTEGER NOT NULL,
  pk BLOB NOT NULL,
  ck BLOB NOT NULL,
  hold_id TEXT NOT NULL,
  amount INTEGER NOT NULL,
  expire_us INTEGER NOT NULL,
  PRIMARY KEY (table_id, pk, ck, hold_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_expiry ON holds (expire_us);

CREATE TABLE log_heads (
  table_id INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  first_offset INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  last_time_us INTEGER NOT NULL,
  PRIMARY KEY (table_id, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_records (
  table_id INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  record_offset INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  key BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (table_id, partition, record_offset)
) STRICT, WITHOUT ROWID;
"""

COUNT_OBJECTS = "SELECT count(*) FROM sqlite_schema"

BEGIN_READ = "BEGIN"
BEGIN_WRITE = "BEGIN IMMEDIATE"
BEGIN_EXCLUSIVE = "BEGIN EXCLUSIVE"
COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"
ITEM_BEGIN = "SAVEPOINT item"
ITEM_KEEP = "RELEASE item"
ITEM_UNDO = "ROLLBACK TO item"

LAST_VERSION = "SELECT last_version FROM clock WHERE id = 1"
SET_LAST_VERSION = "UPDATE clock SET last_version = ? WHERE id = 1"

TABLE_BY_NAME = "SELECT id, shape FROM tables WHERE name = ?"
INSERT_TABLE = "INSERT INTO tables (name, kind, shape) VALUES (?, ?, ?) RETURNING id"
SET_TABLE_SHAPE = "UPDATE tables SET shape = ? WHERE id = ?"

GET_ROW = """
SELECT version, expire_us, body FROM rows
WHERE table_id = ?1 AND hash = ?2 AND pk = ?3 AND ck = ?4
  AND (expire_us IS NULL OR expire_us > ?5)
"""
PUT_ROW = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)"
DELETE_ROW = "DELETE FROM rows WHERE table_id = ? AND hash = ? AND pk = ? AND ck = ?"
DELETE_FROM = "DELETE FROM rows WHERE table_id = ? AND hash = ? AND pk = ? AND ck >= ?"
DELETE_BETWEEN = DELETE_FROM + " AND ck < ?"
COUNT_PARTITION = """
SELECT count(*) FROM (
  SELECT 1 FROM rows
  WHERE table_id = ?1 AND hash = ?2 AND pk = ?3 AND (expire_us IS NULL OR expire_us > ?4)
  LIMIT ?5
)
"""

_QUERY = """
SELECT ck, version, expire_us, body FROM rows
WHERE table_id = ?1 AND hash = ?2 AND pk = ?3 AND (expire_us IS NULL OR expire_us > ?4)
  AND ck >= ?5
"""
QUERY_FROM = _QUERY + " ORDER BY ck"
QUERY_FROM_REVERSE = _QUERY + " ORDER BY ck DESC"
QUERY_BETWEEN = _QUERY + " AND ck < ?6 ORDER BY ck"
QUERY_BETWEEN_REVERSE = _QUERY + " AND ck < ?6 ORDER BY ck DESC"

SCAN = """
SELECT hash, pk, ck, version, expire_us, body FROM rows
WHERE table_id = ?1 AND (hash, pk, ck) > (?2, ?3, ?4) AND hash <= ?5
  AND (expire_us IS NULL OR expire_us > ?6)
ORDER BY hash, pk, ck
"""

GET_TOKEN = "SELECT fingerprint, result FROM tokens WHERE table_id = ? AND nonce = ?"  # noqa: S105 - SQL
PUT_TOKEN = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)"  # noqa: S105 - SQL

GET_COUNTER = "SELECT value, version FROM counters WHERE table_id = ? AND pk = ? AND ck = ?"
PUT_COUNTER = "INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?, ?)"
SUM_HOLDS = """
SELECT
  coalesce(sum(amount) FILTER (WHERE amount > 0), 0),
  coalesce(sum(amount) FILTER (WHERE amount < 0), 0)
FROM holds WHERE table_id = ? AND pk = ? AND ck = ? AND expire_us > ?
"""
GET_HOLD = """
SELECT amount FROM holds
WHERE table_id = ? AND pk = ? AND ck = ? AND hold_id = ? AND expire_us > ?
"""
PUT_HOLD = "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?)"
DELETE_HOLD = "DELETE FROM holds WHERE table_id = ? AND pk = ? AND ck = ? AND hold_id = ?"
DELETE_EXPIRED_HOLDS = """
DELETE FROM holds WHERE table_id = ? AND pk = ? AND ck = ? AND expire_us <= ?
"""

GET_LOG_HEAD = """
SELECT first_offset, next_offset, last_time_us FROM log_heads
WHERE table_id = ? AND partition = ?
"""
PUT_LOG_HEAD = "INSERT OR REPLACE INTO log_heads VALUES (?, ?, ?, ?, ?)"
LOG_PARTITIONS = "SELECT partition FROM log_heads WHERE table_id = ?"
SET_LOG_FIRST = "UPDATE log_heads SET first_offset = ? WHERE table_id = ? AND partition = ?"
PUT_LOG_RECORD = "INSERT INTO log_records VALUES (?, ?, ?, ?, ?, ?)"
LOG_RECORD_TIME = """
SELECT time_us FROM log_records WHERE table_id = ? AND partition = ? AND record_offset = ?
"""
READ_LOG = """
SELECT record_offset, time_us, key, body FROM log_records
WHERE table_id = ? AND partition = ? AND record_offset >= ?
ORDER BY record_offset
"""
DELETE_LOG_BEFORE = """
DELETE FROM log_records WHERE table_id = ? AND partition = ? AND record_offset < ?
"""

PURGE_ROWS = """
DELETE FROM rows WHERE (table_id, hash, pk, ck) IN (
  SELECT table_id, hash, pk, ck FROM rows WHERE expire_us <= ? LIMIT ?
)
"""
PURGE_TOKENS = """
DELETE FROM tokens WHERE (table_id, nonce) IN (
  SELECT table_id, nonce FROM tokens WHERE expire_us <= ? LIMIT ?
)
"""
PURGE_HOLDS = """
DELETE FROM holds WHERE (table_id, pk, ck, hold_id) IN (
  SELECT table_id, pk, ck, hold_id FROM holds WHERE expire_us <= ? LIMIT ?
)
"""
