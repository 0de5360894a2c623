/** What the rail leads to, in its order; a person sees what his permissions let him use. */
import type { IconName } from '@/parts/icons'
import { TABS } from '@/rooms/settings/tabs'

export interface Room {
  name: string
  icon: IconName
  /** Other routes that light this entry up. */
  also: string[]
  /** The permission without which there is nothing to see. */
  needs?: string
  /** Stays in the bar of a phone, where five fit; the others are behind "more". */
  phone: boolean
}

export const ROOMS: readonly Room[] = [
  { name: 'overview', icon: 'overview', also: [], phone: true },
  { name: 'alarms', icon: 'alarms', also: ['alarm', 'alarm-health'], phone: true },
  { name: 'map', icon: 'map', also: [], phone: false },
  { name: 'devices', icon: 'devices', also: ['device'], phone: true },
  { name: 'cameras', icon: 'camera', also: ['camera'], phone: false },
  { name: 'trends', icon: 'chart', also: [], phone: false },
  { name: 'replay', icon: 'replay', also: [], phone: false },
  { name: 'cases', icon: 'cases', also: ['case', 'events'], phone: true },
  { name: 'gateways', icon: 'gateways', also: ['gateway'], phone: false },
  { name: 'registry', icon: 'book', also: ['thing'], phone: false },
  { name: 'settings', icon: 'settings', also: TABS.map((tab) => tab.name), phone: false },
]
