import { words } from '../words'

export default words(
  {
    title: '趋势', pick: '添加测点', search: '按名称或编号查找测点', none: '还没有选择测点', noneHint: '点「添加测点」，或从设备页打开。任意设备的测点可以放在一起看。', noFound: '没有符合的测点', more: '只列出前 {n} 个，请输入更多字。',
    tooManyUnits: '最多 4 种单位：再加一种（{unit}）就要第五根纵轴，读不清了。请先去掉一种单位的测点。', tooManyPoints: '最多 {n} 个测点。请先去掉一个。', unknown: '找不到测点 {id}，或者它不在您的范围内。',
    range: { m15: '15 分', h1: '1 时', h6: '6 时', d1: '1 天', d7: '7 天', d30: '30 天', y1: '1 年' }, span: '时间范围', live: '实时', goLive: '回到现在', resolution: { raw: '原始采样', '1m': '1 分钟', '1h': '1 小时', '1d': '1 天' }, samples: '{n} 个值', loading: '读取中',
    compare: '对比', compareOff: '不对比', compareDay: '前一天', compareWeek: '上一周', band: '最小–最大', marks: '报警与指令',
    reset: '复位', zoomIn: '放大', zoomOut: '缩小', keys: '← → 移动游标 · + − 缩放 · R 复位 · 拖动平移 · 滚轮缩放', exports: '导出', csv: 'CSV（Excel）', parquet: 'Parquet', png: 'PNG 图片', notAllowed: '此账号不可导出数据。',
    cursor: '游标', value: '值', range2: '最小 – 最大', then: '{what}同一时刻', noData: '无数据', gap: '缺数据（此前质量：{quality}）', gapPlain: '缺数据', bad: '质量差', part: '部分采样质量差', uncertain: '质量存疑', remove: '去掉 {name}', point: '测点', time: '时间（{zone}）', quality: '质量',
    alarmMark: '{priority} {name}：{from} 起', commandMark: '指令 {value}，{who}，{state}', lanes: '质量与缺口', chart: '趋势图：{n} 个测点，{from} 至 {to}',
    views: '视图', saveView: '保存视图', viewName: '名称', shared: '与大家共享', save: '保存', saved: '已保存', noViews: '还没有保存的视图', by: '{who} 共享', hidden: '有 {n} 个测点不在您的范围内，未显示', del: '删除', open: '打开', follow: '时间跟随现在',
    openHere: '在趋势中打开', truncated: '数据过多，只显示了前面一部分',
  },
  {
    title: 'Trends', pick: 'Add a point', search: 'Find a point by name or id', none: 'No point is chosen yet', noneHint: 'Use "Add a point", or come from a device. Points of any devices can be seen together.', noFound: 'No point fits', more: 'The first {n} are listed; type more.',
    tooManyUnits: 'At most four units: one more ({unit}) would need a fifth axis, which nobody can read. Take the points of one unit away first.', tooManyPoints: 'At most {n} points. Take one away first.', unknown: 'There is no point {id}, or it is out of your reach.',
    range: { m15: '15 min', h1: '1 h', h6: '6 h', d1: '1 d', d7: '7 d', d30: '30 d', y1: '1 y' }, span: 'Time range', live: 'Live', goLive: 'Back to now', resolution: { raw: 'raw samples', '1m': '1 minute', '1h': '1 hour', '1d': '1 day' }, samples: '{n} values', loading: 'Loading',
    compare: 'Compare', compareOff: 'No comparison', compareDay: 'Day before', compareWeek: 'Week before', band: 'Min–max', marks: 'Alarms and commands',
    reset: 'Reset', zoomIn: 'Zoom in', zoomOut: 'Zoom out', keys: '← → move the cursor · + − zoom · R reset · drag to pan · wheel to zoom', exports: 'Export', csv: 'CSV (Excel)', parquet: 'Parquet', png: 'PNG picture', notAllowed: 'This account may not export data.',
    cursor: 'Cursor', value: 'Value', range2: 'Min – max', then: 'Same time, {what}', noData: 'no data', gap: 'No data (quality before: {quality})', gapPlain: 'No data', bad: 'Bad quality', part: 'Some samples of bad quality', uncertain: 'Uncertain quality', remove: 'Take {name} away', point: 'Point', time: 'Time ({zone})', quality: 'Quality',
    alarmMark: '{priority} {name}: from {from}', commandMark: 'Command {value}, {who}, {state}', lanes: 'Quality and gaps', chart: 'Trend of {n} points from {from} to {to}',
    views: 'Views', saveView: 'Save this view', viewName: 'Name', shared: 'Share with all', save: 'Save', saved: 'Saved', noViews: 'No view is saved yet', by: 'shared by {who}', hidden: '{n} of its points are out of your reach and not shown', del: 'Delete', open: 'Open', follow: 'Follow the present time',
    openHere: 'Open in trends', truncated: 'Too many values: only the first are shown',
  },
)
