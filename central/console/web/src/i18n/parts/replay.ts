import { words } from '../words'

export default words(
  {
    title: '回放', play: '播放', pause: '暂停', speed: '速度', span: '时间范围', range: { h1: '1 时', h6: '6 时', d1: '1 天', d7: '7 天' }, moment: '回放时刻', past: '这是过去的画面，不是现在', now: '回到现在', earlier: '往前一段', later: '往后一段',
    alarms: '当时的报警', noAlarms: '当时没有报警', more: '另有 {n} 条', counts: '{active} 个激活 · {unacked} 个待确认 · {stale} 个站点无新数据', values: '当时的数值', pick: '在地图上点一个站点，看它当时的数值。', noValues: '此前一天内没有数据', stale: '陈旧', age: '{n} 前', density: '报警密度', step: '步进',
    keys: '空格 播放 · ← → 步进', calm: '站点很多：只标出当时不正常的。', trend: '趋势',
  },
  {
    title: 'Replay', play: 'Play', pause: 'Pause', speed: 'Speed', span: 'Time range', range: { h1: '1 h', h6: '6 h', d1: '1 d', d7: '7 d' }, moment: 'Moment shown', past: 'This is the past, not the present', now: 'Back to the present', earlier: 'Earlier span', later: 'Later span',
    alarms: 'Alarms then', noAlarms: 'No alarm stood then', more: '{n} more', counts: '{active} active · {unacked} unacknowledged · {stale} sites without fresh data', values: 'Values then', pick: 'Choose a site on the map to see its values then.', noValues: 'No data in the day before', stale: 'stale', age: '{n} before', density: 'Alarm density', step: 'Step',
    keys: 'Space plays · ← → step', calm: 'Very many sites: only those that were not calm are marked.', trend: 'Trend',
  },
)
