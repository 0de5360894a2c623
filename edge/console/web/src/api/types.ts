/** What the gateway's local API says, by hand: it is small, and the gateway's tests hold it. Times are µs of UTC. */

export interface Name {
  zh: string
  en: string
}
export type Priority = 'P1' | 'P2' | 'P3' | 'P4'
export type QualityClass = 'good' | 'uncertain' | 'bad'

export interface Session {
  gateway: string
  name: Name
  software: string
  signed_in: boolean
  password_set: boolean
}

export interface ConfigStatus {
  running: number
  digest: string
  declaration: string
  since_us: number
  wanted: string
  state: 'same' | 'edited' | 'probation' | 'refused' | 'rolled-back'
  why: string
}

export interface Overview {
  gateway: string
  name: Name
  software: string
  now_us: number
  uptime_s: number
  cpu_pct: number
  rss_mb: number
  config: ConfigStatus
  uplink: { state: string; url: string | null; reason: string; enrolled: boolean }
  storage: {
    used_bytes: number
    limit_bytes: number | null
    free_bytes: number
    left_s: number | null
    thinned: number
    dropped: number
    written_today: number
    sent_today: number
    why: string
  }
  backlog: { batches: number; readings: number; bytes: number; oldest_us: number | null; readings_per_s: number; eta_s: number | null }
  clock: { synced: boolean; offset_us: number | null }
  local_manual: string[]
  devices: { total: number; offline: number; adopted: number; refused: number }
  alarms: { open: number; unacked: number }
}

export type DeviceState = 'online' | 'offline' | 'waiting' | 'resting'
export interface Reason {
  code: string
  zh: string
  en: string
  detail: string
}
export interface Device {
  key: string
  name: Name
  site: string
  profile: string
  vendor: string
  model: string
  kind: string
  connection: string
  protocol: string
  state: DeviceState
  reason: Reason
  last_us: number | null
  latency_ms: number | null
  breaker: { open: boolean; failures: number; retry_in_s: number | null }
  points: number
  bad_points: number
  manual: boolean
  learnt: Learnt | null
  adopted: Adopted | null
}
/** How a device joined that nobody has declared. */
export interface Adopted {
  rule: string
  name: string
  adopted_us: number
}
export interface Adoption {
  rules: { key: string; connection: string; topic: string; profile: string; enabled: boolean; joined: number; most: number }[]
  devices: Record<string, Adopted>
  refused: { rule: string; name: string; code: string; why: string }[]
  refused_more: number
}
export interface Learnt {
  profile: string
  holes: { fc: number; address: number; count: number; exception: number; value: boolean }[]
  max_registers: number | null
  max_bits: number | null
  pause_ms: number
  learnt_us: number
}

/** A certificate that an OPC UA server has shown and nobody has trusted yet. */
/** What the file of an authority was. */
export interface TakenAuthority {
  kind: 'authority' | 'revocations'
  subject: string
  sha256: string
  detail: string
}

export interface Waiting {
  sha256: string
  sha1: string
  subject: string
  issuer: string
  not_before: string
  not_after: string
  changed: boolean
}

export interface Quality {
  code: number
  name: string
  class: QualityClass
  zh: string
  en: string
}
export interface Value {
  point: string
  value: number | null
  text: string | null
  label: Name | null
  quality: Quality
  time_us: number | null
}
export interface Point extends Value {
  device: string
  key: string
  name: Name
  unit: string
  type: string
  period_s: number
  decimals: number | null
  writable: boolean
  readable: boolean
  write_min: number | null
  write_max: number | null
  labels: Record<string, Name>
  min: number | null
  max: number | null
}

export interface History {
  point: string
  unit: string
  t: number[]
  min: (number | null)[]
  max: (number | null)[]
  value: (number | null)[]
  /** OPC UA status codes, the worst of each bucket. */
  quality: number[]
  complete: boolean
  from_us: number
}

export type AlarmState = 'NORM' | 'UNACK' | 'ACKED' | 'RTNUN' | 'LTUNK' | 'LTACK'
export interface Alarm {
  rule: string
  occurrence: string
  device: string
  point: string
  name: Name
  response: Name | null
  unit: string
  decimals: number | null
  labels: Record<string, Name>
  priority: Priority
  kind: string
  state: AlarmState
  overlays: ('OOSRV' | 'DSUPR' | 'SHLVD')[]
  active: boolean
  acked: boolean
  raised_us: number
  cleared_us: number | null
  acked_us: number | null
  acked_by: string
  raise_value: number | null
  value: number | null
  limit: number
  group: string
  first_out: boolean
  shelved_until_us: number | null
  put_aside_by: string
  put_aside_why: string
  chattering: boolean
}

export type Verb = 'ack' | 'reset' | 'shelve' | 'unshelve' | 'suspend' | 'return'
export interface Act {
  verb: Verb
  rule: string
  occurrence?: string
  comment?: string
  until_us?: number
  one_shot?: boolean
}

export interface Outcome {
  command: string
  state: 'verified' | 'written' | 'mismatch' | 'rejected' | 'expired' | 'failed' | 'unknown'
  reason: string
  detail: string
  finished_us: number
  read_back: number | string | null
}

export interface LogLine {
  n: number
  time_us: number
  level: string
  event: string
  fields: Record<string, unknown>
}

export interface Mistake {
  file: string
  line: number
  column: number
  path: string
  problem: string
  expected: string
  repair: string
}
export interface Version {
  number: number
  digest: string
  made_us: number
  source: 'file' | 'page' | 'centre' | 'rollback' | 'start'
  actor: string
  note: string
  state: 'running' | 'good' | 'probation' | 'rolled-back' | 'refused'
  why: string
}
export interface ConfigPage {
  status: ConfigStatus
  /** Seconds of probation that are left; null where there is none. */
  left_s: number | null
  versions: Version[]
}
export interface Diff {
  unified: string
  devices: { added: string[]; removed: string[]; changed: string[]; unchanged: string[] }
}
export interface Checked {
  mistakes: Mistake[]
  diff: Diff
}

export interface Profile {
  id: string
  vendor: string
  model: string
  name: Name
  kind: string
  protocol: string
  points: number
  /** What tells its devices apart on a line, with an example of each. */
  params: Record<string, string | number>
}

export interface Found {
  kind: string
  key: string
  title: string
  detail: Record<string, unknown>
  suggestion: { devices?: { profile: string; params?: Record<string, string | number> }; points?: unknown }
}
export interface Job {
  state: 'running' | 'done' | 'failed' | 'stopped'
  done: number
  total: number
  doing: string
  next: number
  found: Found[]
  error: string
}

export interface Guess {
  type: string
  order: string
  offset: number
  registers: number
  value: number | string
  score: number
  why: string[]
  profile: string
  point: string
  unit: string
}
export interface Decoded {
  guesses: Guess[]
  fits: { profile: string; name: string; good: number; tried: number; score: number }[]
}

export interface Queue {
  size_bytes: number
  streams: Record<string, { batches: number; rows: number; bytes: number; oldest_us: number | null }>
  set_aside: number
  asides: { stream: string; seq: number; n: number; bytes: number; reason: string; aside_us: number }[]
  waiting_for_storage: string | null
}

export interface Messages {
  values: Value[]
  overview: Overview
}
