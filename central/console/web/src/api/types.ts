/** What the centre's API says, by the names that the console uses; `npm run api` generates the shapes. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Name = Schemas['Name']
export type Quality = Schemas['QualityOut']
export type User = Schemas['Myself']
export type Session = Schemas['SessionOut']
export type Account = Schemas['User']
export type Grant = Schemas['Grant']
export type Role = Schemas['RoleOut']
export type Permission = Role['permissions'][number]
export type CityParts = Schemas['Parts']
export type Policy = Schemas['Policy']
export type Token = Schemas['Token']
export type TokenMade = Schemas['TokenMade']
export type OpenSession = Schemas['OpenSession']
export type Me = Schemas['Me']
export type TotpStart = Schemas['TotpStart']
export type AuditEntry = Schemas['AuditEntry']
export type AuditChange = Schemas['AuditChange']
export type AuditProof = Schemas['AuditProof']
export type Priority = Schemas['Alarm']['priority']

export type Overview = Schemas['Overview']
export type KeyFigure = Schemas['KeyFigure']
export type Site = Schemas['Site']
export type Device = Schemas['Device']
export type DeviceState = Device['state']
export type DeviceDetail = Schemas['DeviceDetail']
export type Point = Schemas['Point']
export type Latest = Schemas['Latest']
export type Rule = Schemas['Rule']
export type History = Schemas['History']
export type Series = Schemas['Series']

export type Alarm = Schemas['Alarm']
export type AlarmBrief = Schemas['AlarmBrief']
export type AlarmStateCode = Schemas['AlarmState']
export type AlarmDetail = Schemas['AlarmDetail']

export type Gateway = Schemas['Gateway']
export type GatewayState = Gateway['state']
export type GatewayDetail = Schemas['GatewayDetail']
export type GatewayStatus = Schemas['Status']
export type Configuration = Schemas['Configuration']
export type PushedText = Schemas['PushedText']
export type Order = Schemas['Order']
export type Package = Schemas['Package']
export type Enrolment = Schemas['EnrolmentCode']

export type CityEvent = Schemas['Event']
export type Case = Schemas['Case']
export type CaseState = Schemas['CaseState']
export type CaseStep = Schemas['Step']
export type Action = Schemas['Action']
export type Task = Schemas['Task']
export type Unit = Schemas['Unit']
export type Command = Schemas['Command']
export type LiveMessages = Schemas['LiveMessages']

/** A part of a list; `next_cursor` asks for the next. */
export interface Page<T> {
  items: T[]
  next_cursor?: string | null
  total?: number | null
}

export type Thing = Schemas['Thing']
export type ThingDetail = Schemas['ThingDetail']
export type ThingKind = Thing['kind']
export type Lifecycle = Schemas['Lifecycle']
export type ThingFields = Schemas['Fields']
export type Contact = Schemas['Contact']
export type Attachment = Schemas['AttachmentOut']
export type Facets = Schemas['Facets']
export type ThingHistory = Schemas['HistoryEntry']
export type ImportReport = Schemas['ImportReport']
export type SearchResult = Schemas['SearchResult']
export type SearchHit = Schemas['SearchHit']

type Layer = 'districts' | 'roads' | 'water' | 'parks'
/** The city's map, with its layers by the name that GeoJSON's own types give them. */
export type CityMap = Omit<Schemas['CityMap'], Layer> & Record<Layer, GeoJSON.FeatureCollection>

export type MapDevices = Schemas['MapDevices']
export type MapMarks = Schemas['MapMarks']
export type MapHeat = Schemas['MapHeat']
export type PointBrief = Schemas['PointBrief']
export type Marks = Schemas['Marks']
export type TrendView = Schemas['TrendView']
export type ReplayFrame = Schemas['ReplayFrame']
export type ReplayDensity = Schemas['ReplayDensity']

export type WallLayout = Schemas['LayoutOut']
export type WallBrief = Schemas['LayoutBrief']
export type WallPanel = Schemas['Panel']
export type WallShown = Schemas['WallOut']
export type WallScreen = Schemas['Screen']
export type WallLink = Schemas['ScreenLink']
