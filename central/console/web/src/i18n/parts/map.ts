import { words } from '../words'

export default words(
  {
    title: '城市地图', layers: '图层', kinds: '设备类型', allKinds: '全部', noKinds: '全不选', heat: '报警热度（24 小时）', cases: '未结案件', offline: '离线区域', devices: '设备',
    list: '视野内设备', inView: '视野内 {n} 台', more: '另有 {n} 台，放大地图查看', nothing: '视野内没有设备', nothingHint: '移动或缩小地图，或打开更多图层。', find: '按名称或编号查找',
    offlineSite: '{site}：网关 {gateways} 失联', heardAt: '最后联系 {time}', neverHeard: '从未联系', styleFailed: '地图样式无法加载，已改用城市自有地图。',
    card: '设备卡片', openPage: '设备详情', openAlarms: '未关闭报警', noAlarms: '没有未关闭的报警', noValues: '没有测点', values: '实时值', toSite: '定位', openCases: '{n} 个未结案件', loading: '正在加载设备…', panel: '图层与设备列表',
  },
  {
    title: 'City map', layers: 'Layers', kinds: 'Kinds of device', allKinds: 'All', noKinds: 'None', heat: 'Alarm heat (24 h)', cases: 'Open cases', offline: 'Offline areas', devices: 'Devices',
    list: 'Devices in view', inView: '{n} in view', more: '{n} more: zoom in to see them', nothing: 'No devices in view', nothingHint: 'Move or zoom out, or switch on more layers.', find: 'Find by name or id',
    offlineSite: '{site}: gateway {gateways} is not reached', heardAt: 'last heard {time}', neverHeard: 'never heard', styleFailed: 'The map style could not be loaded; the city\'s own map is shown.',
    card: 'Device card', openPage: 'Device page', openAlarms: 'Open alarms', noAlarms: 'No open alarms', noValues: 'No points', values: 'Live values', toSite: 'Show', openCases: '{n} open case | {n} open cases', loading: 'Loading devices…', panel: 'Layers and list of devices',
  },
)
