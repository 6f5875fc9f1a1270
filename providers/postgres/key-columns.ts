/** Columns as text, so that no type parser of the user's pool changes what is read. */
export const RECORD_COLUMNS = `id, commitment, store, purpose, scope, generation::text as generation, parent, created_at,
  expires_at, wraps::text as wraps, state, state_at, reason, rev::text as rev, mac`
export const LOG_COLUMNS = 'seq::text as seq, at, action, changes::text as changes, previous, hash, root, mac'

/** What `json_to_recordset` reads from `recordRow`. */
export const ROW_TYPE = `id text, commitment text, store text, purpose text, scope text, generation bigint, parent text,
  created_at text, expires_at text, wraps jsonb, state text, state_at text, reason text, rev bigint, mac text`
