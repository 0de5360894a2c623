/** What the centre's API says, by the names that the console uses. */

export interface Name {
  zh: string
  en: string
}
export type Priority = 'P1' | 'P2' | 'P3' | 'P4'
export type QualityClass = 'good' | 'uncertain' | 'bad'
export interface Quality {
  code: number
  class: QualityClass
  name: string
}
export interface Page<T> {
  items: T[]
  next_cursor: string | null
  total?: number | null
}
export type Role = 'viewer' | 'operator' | 'admin'
export interface User {
  username: string
  display_name: string
  role: Role
}
export interface Session {
  user: User
}
export interface KeyFigure {
  point: string
  site: string
  name: Name
  value: number | null
  unit: string
  decimals: number | null
  time: string
  quality: Quality
  stale: boolean
}
export interface Overview {
  server_time: string
  sites: { total: number; with_alarm: number }
  devices: { total: number; online: number; stale: number; bad: number }
  points: { total: number; good: number; uncertain: number; bad: number; stale: number }
  alarms: { active: number; unacked: number; shelved: number; by_priority: Record<Priority, number> }
  cases: { open: number; overdue: number }
  gateways: { total: number; online: number }
  readings_per_s: number
  key_figures: KeyFigure[]
}
export type SiteState = 'normal' | 'alarm' | 'stale' | 'offline'
export interface Site {
  id: string
  name: Name
  kind: string
  district: string
  lon: number
  lat: number
  devices: number
  worst_priority: Priority | null
  active_alarms: number
  unacked_alarms: number
  state: SiteState
}
export interface CityMap {
  name: Name
  time_zone?: string
  bounds: [number, number, number, number]
  districts: GeoJSON.FeatureCollection
  roads: GeoJSON.FeatureCollection
  water: GeoJSON.FeatureCollection
  parks?: GeoJSON.FeatureCollection
}
export type DeviceState = 'active' | 'stale' | 'fault' | 'retired'
export interface Device {
  id: string
  key: string
  name: Name
  site: string
  gateway: string
  kind: string
  profile: string
  protocol: string
  vendor: string
  model: string
  state: DeviceState
  worst_priority: Priority | null
  last_time: string | null
}
export interface Latest {
  point: string
  value: number | null
  text: string | null
  time: string
  received_at: string
  quality: Quality
  stale: boolean
  age_s: number
}
export type AlarmKind = 'hihi' | 'hi' | 'lo' | 'lolo' | 'off_normal' | 'no_data'
export interface Rule {
  id: string
  point: string
  kind: AlarmKind
  limit: number
  priority: Priority
  name: Name
  deadband: number
  on_delay_s: number
  off_delay_s: number
  latching: boolean
  ack_required: boolean
  rtn_ack: boolean
  category: string
  response?: Name | null
  declaration?: string
}
export interface Point {
  id: string
  key: string
  device: string
  name: Name
  unit: string
  value_type: 'number' | 'bool' | 'text'
  decimals: number | null
  min: number | null
  max: number | null
  period_s: number
  writable: boolean
  write_min: number | null
  write_max: number | null
  labels: Record<string, Name>
  latest: Latest | null
  rules: Rule[]
}
export interface DeviceDetail extends Device {
  points: Point[]
  open_alarms: number
}
export interface Series {
  point: string
  unit: string
  t: number[]
  value?: (number | null)[]
  quality?: number[]
  n?: number[]
  min?: (number | null)[]
  max?: (number | null)[]
  avg?: (number | null)[]
  last?: (number | null)[]
  truncated: boolean
}
export interface History {
  resolution: 'raw' | '1m' | '1h' | '1d'
  series: Series[]
}
export type AlarmStateCode = 'NORM' | 'UNACK' | 'ACKED' | 'RTNUN' | 'LTUNK' | 'LTACK'
export interface Alarm {
  id: string
  rule_id: string
  name: Name
  point: string
  device: string
  site: string
  gateway: string
  kind: AlarmKind
  priority: Priority
  state: AlarmStateCode
  active: boolean
  acked: boolean
  shelved_until: string | null
  limit: number
  deadband: number
  unit: string
  raised_at: string
  cleared_at: string | null
  acked_at: string | null
  acked_by: string | null
  raise_value: number | null
  last_value: number | null
  category: string
  event_id: string | null
  case_id: string | null
  late: boolean
}
export interface JournalEntry {
  at: string
  recorded_at: string
  event: string
  from: string | null
  to: string | null
  actor: string | null
  comment: string | null
  value: number | null
  quality: Quality | null
  late: boolean
}
export interface EvidenceSample {
  time: string
  value: number | null
  quality: Quality
}
export interface AlarmDetail extends Alarm {
  rule: Rule
  journal: JournalEntry[]
  evidence: EvidenceSample[]
  response: Name | null
}
export type GatewayState = 'pending' | 'online' | 'degraded' | 'offline' | 'revoked'
export interface Gateway {
  id: string
  name: Name
  state: GatewayState
  last_seen: string | null
  lag_s: number | null
  backlog_batches: number | null
  backlog_readings: number | null
  clock_offset_ms: number | null
  software: string | null
  points: number
  devices: number
  set_aside: number
}
export interface Enrolment {
  id: string
  enrolment_code: string
  expires_at: string
}
export type EventState = 'reported' | 'verified' | 'responding' | 'controlled' | 'closed'
export interface AlarmBrief {
  id: string
  rule_id: string
  name: Name
  point: string
  device: string
  priority: Priority
  raised_at: string
}
export interface CityEvent {
  id: string
  number: string
  title: Name
  site: string
  device: string
  category: string
  level: Priority
  state: EventState
  opened_at: string
  closed_at: string | null
  closed_by: string | null
  closing_note: string
  alarms: AlarmBrief[]
  case_id: string | null
}
export type CaseState = 'PENDING_DISPATCH' | 'HANDLING' | 'PENDING_CHECK' | 'PENDING_CLOSE' | 'CLOSED' | 'VOIDED'
export type TaskState = 'assigned' | 'accepted' | 'on_site' | 'done' | 'verified' | 'refused'
export type TaskAction = 'accept' | 'on_site' | 'done' | 'verify' | 'rework' | 'refuse'
export type CaseAction = 'assign' | 'close' | 'void'
export interface Task {
  id: string
  case_id: string
  case_number: string
  title: Name
  site: string | null
  priority: Priority
  unit: string
  state: TaskState
  round: number
  due_at: string
  overdue: boolean
  assigned_at: string
  accepted_at: string | null
  on_site_at: string | null
  done_at: string | null
  verified_at: string | null
  refused_at: string | null
  actions: TaskAction[]
}
export interface CaseStep {
  number: number
  at: string
  actor: string
  action: 'open' | CaseAction | TaskAction
  from: CaseState | null
  to: CaseState
  comment: string
  unit: string | null
  task: string | null
  hash: string
}
export interface Case {
  id: string
  number: string
  title: Name
  description: string
  state: CaseState
  priority: Priority
  category: string
  site: string | null
  event_id: string | null
  unit: string | null
  opened_at: string
  opened_by: string
  due_at: string
  overdue: boolean
  closed_at: string | null
  reworks: number
  tasks: Task[]
  steps: CaseStep[]
  alarms: AlarmBrief[]
  actions: CaseAction[]
}
export interface Unit {
  id: string
  name: Name
  kind: string
}
export type CommandState =
  | 'pending' | 'delivered' | 'verified' | 'written' | 'mismatch' | 'rejected' | 'expired' | 'failed' | 'unknown'
export interface Command {
  id: string
  point: string
  device: string
  value: number | string
  unit: string
  state: CommandState
  issued_at: string
  issued_by: string
  expires_at: string
  delivered_at: string | null
  finished_at: string | null
  read_back: number | string | null
  reason: string | null
  detail: string | null
}
