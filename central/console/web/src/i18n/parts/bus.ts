import { words } from '../words'

export default words(
  { title: '同一总线', unknown: '总线未知', unknownHint: '网关尚未上报它的配置。', none: '此总线上没有其他设备', line: '同一总线的其他设备也不正常：请先查线路与网关。', alone: '同一总线的其他设备正常：问题多半在此设备。' },
  { title: 'On the same bus', unknown: 'Bus not known', unknownHint: 'The gateway has not shown its configuration.', none: 'No other device on this bus', line: 'All others on this bus are ill too: look at the line and the gateway first.', alone: 'All others on this bus are well: it is probably this device.' },
)
