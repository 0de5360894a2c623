import type zh from './zh'

const en: typeof zh = {
  product: 'CityNerve',
  tagline: 'Smart-city operations centre',
  nav: { overview: 'Overview', alarms: 'Alarms', devices: 'Devices', cases: 'Cases', gateways: 'Gateways', events: 'Events', main: 'Main' },
  common: {
    all: 'All', search: 'Search', cancel: 'Cancel', confirm: 'Confirm', save: 'Save', retry: 'Try again', back: 'Back', close: 'Close', copy: 'Copy', copied: 'Copied',
    view: 'View', more: 'Load more', none: 'None', site: 'Site', device: 'Device', point: 'Point', state: 'State', priority: 'Priority', name: 'Name', time: 'Time', value: 'Value', unit: 'Unit',
    age: 'Age', quality: 'Quality', by: 'by {who}', comment: 'Comment', reason: 'Reason', loading: 'Loading', total: '{n} in total', of: '/ {n}', language: 'Language', system: 'System',
    signOut: 'Sign out', notAllowed: 'This account may only read.', skip: 'Skip to content', minutes: '{n} min', open: 'Open',
  },
  role: { viewer: 'Viewer', operator: 'Operator', admin: 'Administrator' },
  signIn: {
    title: 'Sign in', lead: 'Data flows in from every scattered unit, decisions flow back out.', username: 'User name', password: 'Password', submit: 'Sign in', failed: 'The user name or password is not right. Please try again.',
    tooMany: 'Too many attempts. Please wait five minutes.', needed: 'Enter your user name and password.',
  },
  error: {
    unreachable: 'The centre does not answer. Check the network; this page retries by itself.', title: 'Could not be loaded', notFound: 'There is no such page or object.', notFoundHint: 'It may have been removed, or the address is wrong.', home: 'Go to the overview',
    broken: 'The page failed. Reload it; if it fails again, give the text below to your administrator.',
  },
  feed: { live: 'Live', connecting: 'Connecting', lost: 'Connection lost', off: 'Not connected', lostSince: 'The connection to the centre is lost, reconnecting. Data shown as of {time}.' },
  age: { now: 'now', s: '{n} s ago', min: '{n} min ago', h: '{n} h ago', d: '{n} d ago', none: 'no data' },
  span: { s: '{n} s', min: '{n} min', h: '{n} h', d: '{n} d', hmin: '{h} h {m} min', mins: '{m} min {s} s' },
  quality: { good: 'Good', uncertain: 'Uncertain', bad: 'Bad', stale: 'Stale' },
  qualityName: {
    Good: 'Good', GoodLocalOverride: 'Local override', Uncertain: 'Uncertain', UncertainNoCommunicationLastUsableValue: 'No communication, last value', UncertainLastUsableValue: 'Last usable value',
    UncertainSubstituteValue: 'Substituted by hand', UncertainSensorNotAccurate: 'Sensor not accurate', UncertainEngineeringUnitsExceeded: 'Outside the range', UncertainSubNormal: 'Too few good samples',
    UncertainSimulatedValue: 'Simulated', UncertainSensorCalibration: 'Calibration overdue', Bad: 'Bad', BadCommunicationError: 'Communication error', BadDecodingError: 'Message not readable', BadTimeout: 'Device timed out',
    BadNoCommunication: 'No communication', BadWaitingForInitialData: 'Waiting for first data', BadNodeIdUnknown: 'Node unknown', BadOutOfRange: 'Out of range', BadNotSupported: 'Not supported',
    BadTypeMismatch: 'Type mismatch', BadConfigurationError: 'Configuration error', BadDeviceFailure: 'Device failure', BadSensorFailure: 'Sensor failure', BadOutOfService: 'Out of service',
  },
  priority: { P1: 'Critical', P2: 'High', P3: 'Medium', P4: 'Low' },
  siteState: { normal: 'Normal', alarm: 'Alarm', stale: 'Stale data', offline: 'Offline' },
  siteKind: {
    square: 'Square', air_station: 'Air quality station', water_plant: 'Waterworks',     pumping_station: 'Pumping station', sluice_gate: 'Sluice gate', sluice: 'Sluice', gate: 'Gate', underpass: 'Underpass', street_lighting: 'Street lighting', lighting: 'Street lighting', air_quality: 'Air quality station', air: 'Air quality station', weather: 'Weather station',
    water_level: 'Level station', substation: 'Substation', camera: 'Camera', plaza: 'Plaza', bridge: 'Bridge', river_gauge: 'River gauge', hydrology: 'River gauge', park: 'Park', building: 'Building', sign: 'Message sign',
    traffic: 'Traffic', street: 'Street', waterworks: 'Waterworks', intersection: 'Intersection', manhole: 'Manhole', outfall: 'Outfall', building_energy: 'Building energy',
  },
  kind: {
    wet_well: 'Wet well', solar: 'Solar', relay: 'Relay', io: 'Digital I/O', climate: 'Climate', parking: 'Parking', bin: 'Smart bin', pump: 'Pump', gate: 'Gate', level: 'Level gauge', meter: 'Meter', energy_meter: 'Power meter', power_meter: 'Power meter', air: 'Air quality', weather: 'Weather', camera: 'Camera', sign: 'Message sign', light: 'Street light', lighting: 'Street light', lamp: 'Street light',
    rain: 'Rain gauge', flow: 'Flow meter', gateway: 'Gateway', manhole: 'Manhole', plc: 'Controller', water_quality: 'Water quality', noise: 'Noise', radar: 'Radar level', valve: 'Valve', sensor: 'Sensor', streetlight: 'Street light',
    flood: 'Flood gauge', vms: 'Message sign', drainage: 'Drainage', rain_gauge: 'Rain gauge', level_gauge: 'Level gauge', flow_meter: 'Flow meter', water_meter: 'Water meter', pump_controller: 'Pump controller', sluice_gate: 'Sluice gate', air_quality: 'Air quality', message_sign: 'Message sign',
  },
  deviceState: { active: 'Online', stale: 'Stale', fault: 'Fault', retired: 'Retired' },
  overview: {
    title: 'City overview', map: 'City map', keyFigures: 'Key figures', alarmList: 'Live alarms', gateways: 'Gateway health', activeAlarms: 'Active alarms', unacked: '{n} unacknowledged', sites: 'Sites in alarm', devicesOnline: 'Devices online',
    casesOpen: 'Open cases', overdue: '{n} overdue', readings: 'Readings', perSecond: '/s', gatewaysOnline: 'Gateways online', points: 'Point quality', allQuiet: 'No active alarms', allQuietHint: 'Every point is within its limits.',
    noFigures: 'No key figures yet', noFiguresHint: 'They appear once a gateway declares its key points.', noGateways: 'No gateways yet', stale: '{n} stale', bad: '{n} at fault', shelved: '{n} shelved',
    noMap: 'No city map is configured', siteCount: '{n} device | {n} devices', alarmsHere: '{n} active alarm | {n} active alarms', legend: 'Legend', openDevices: 'Show devices', resetView: 'Whole city', goodShare: '{n}% good', allOnline: 'all online', inTime: 'all in time', offlineN: '{n} offline',
  },
  alarm: {
    title: 'Alarms', one: 'Alarm', state: { NORM: 'Returned', UNACK: 'Unacknowledged', ACKED: 'Acknowledged', RTNUN: 'Returned, unack.', LTUNK: 'Latched, unack.', LTACK: 'Latched, ack.' },
    shelved: 'Shelved', shelvedUntil: 'Shelved until {time}', filter: { active: 'Active', unacked: 'Unacknowledged', open: 'Open', closed: 'Closed', all: 'All', shelved: 'Shelved' },
    raised: 'Raised', cleared: 'Cleared', acked: 'Acknowledged', duration: 'Duration', limit: 'Limit', actual: 'At raise', current: 'Latest', late: 'Late', lateHint: 'Happened while the link was down; arrived later',
    acknowledge: 'Acknowledge', ackShort: 'Ack', ackN: 'Acknowledge {n}', ackDone: '{n} acknowledged', shelve: 'Shelve', unshelve: 'Unshelve', shelveTitle: 'Shelve alarm', shelveFor: 'Shelve for', shelveReason: 'Reason', shelveHint: 'No notice while shelved; it returns by itself. Reason and person are kept in the journal.',
    shelveDone: '{n} shelved', unshelveDone: 'Unshelved', reasonNeeded: 'Give a reason.', minutes: 'minutes', empty: 'No alarms match', emptyHint: 'Change the filter, or look again later.', selected: '{n} selected', clearSelection: 'Clear selection', selectAll: 'Select all',
    keys: 'J/K move · X select · A acknowledge · S shelve · Enter open', rule: 'Rule', evidence: 'Samples around it', evidenceHint: '{n} raw samples; the shade is the time in alarm', journal: 'Journal', response: 'What to do', deadband: 'Deadband', onDelay: 'On-delay', offDelay: 'Off-delay', declaration: 'Configuration', latching: 'Latching', ackRequired: 'Acknowledgement', yes: 'Yes', no: 'No',
    kind: { hihi: 'High-high', hi: 'High', lo: 'Low', lolo: 'Low-low', off_normal: 'Off-normal', no_data: 'No data' }, condition: 'Condition', conditionText: { hihi: 'value ≥ {limit}', hi: 'value ≥ {limit}', lo: 'value ≤ {limit}', lolo: 'value ≤ {limit}', off_normal: 'anything but {limit}', no_data: 'no good data for {limit}' },
    event: { SUPERSEDED: 'Superseded', ACT: 'Raised', CLR: 'Cleared', ACK: 'Acknowledged', RESET: 'Reset', REALARM: 'Raised again', SHELVE: 'Shelved', UNSHELVE: 'Unshelved', SHELVE_EXPIRED: 'Shelving ended', COMMENT: 'Comment' },
    gateway: 'Gateway {id}', toEvent: 'Event', toCase: 'Case', noCase: 'No case', commentPlaceholder: 'Comment (optional)', noEvidence: 'No samples of that time', noEvidenceHint: 'They may still be in the gateway’s buffer, and will appear when it catches up.', recorded: 'stored {time}', chain: 'Chain of evidence', chainSample: 'Sample', chainRule: 'Rule', chainAlarm: 'Alarm', chainEvent: 'Event', chainCase: 'Case', category: 'Category', open: 'Not yet cleared', reset: 'Reset', resetDone: 'Reset', normal: 'normal: {limit}', said: { superseded: 'The same rule raised again; the new alarm takes its place', disorder: 'Arrived out of order', ended: 'The shelving time is over', unseen: 'The step that raised it has not arrived', auto: 'automatic', 'auto-clear': 'automatic at return', byNext: 'system (superseded)' }, reasons: { maintenance: 'Maintenance work', known: 'Known fault, being handled', nuisance: 'Nuisance alarm', test: 'Test' },
  },
  category: { flooding: 'Flooding', weather: 'Weather', sanitation: 'Sanitation', equipment: 'Equipment', water: 'Water', flood: 'Flooding', power: 'Power', environment: 'Environment', air: 'Air', traffic: 'Traffic', safety: 'Safety', communication: 'Communication', lighting: 'Lighting', drainage: 'Drainage', security: 'Security', energy: 'Energy', comm: 'Communication' },
  device: {
    title: 'Devices', searchPlaceholder: 'Name, id or model', empty: 'No devices match', emptyHint: 'Try another word or filter.', points: 'Points', trend: 'Trend', lastData: 'Last data', model: 'Model', gateway: 'Gateway', protocol: 'Protocol', protocols: { modbus: 'Modbus TCP', opcua: 'OPC UA', mqtt: 'MQTT', camera: 'HTTP camera', own: 'none, the gateway itself' }, profile: 'Profile', openAlarms: '{n} open alarm | {n} open alarms', noAlarms: 'No alarms',
    range: { m15: '15 min', h1: '1 h', h6: '6 h', d1: '24 h', d7: '7 d' }, resolution: { raw: 'raw', '1m': '1 min', '1h': '1 h', '1d': '1 d' }, noTrend: 'Select a point to see its trend', noTrendHint: 'Up to four at once.', noHistory: 'No data in this period', shown: 'Shown in the chart', mean: 'Mean', band: 'Min–max', badSpan: 'Bad', uncertainSpan: 'Uncertain', truncated: 'Too much data, only a part is shown', limits: 'Alarm limits', write: 'Set', period: 'every {s} s', samples: 'Samples', min: 'Min', max: 'Max', noPoints: 'This device has no points', text: 'Text', command: 'Control', kindFilter: 'Kind', stateFilter: 'State', list: 'Device list', trendOf: 'Trend of {name}', lastValue: 'Latest',
  },
  command: {
    title: 'Send a command', value: 'New value', range: 'allowed {min} to {max}', present: 'now {value}', submit: 'Send', confirmTitle: 'Send this command?', confirmText: '“{device} · {point}” will be set from {from} to {to}. It is written to the device in the field and read back.', confirm: 'Send command', history: 'Recent commands', empty: 'No commands so far', outOfRange: 'Outside the allowed range {min} to {max}.', valueNeeded: 'Enter a value.', readBack: 'read back {value}', expires: 'valid for {s} s', steps: { pending: 'Submitted', delivered: 'At the gateway', done: 'Result' },
    state: { pending: 'Waiting for the gateway', delivered: 'The gateway has it and is writing', verified: 'Done, the read-back agrees', written: 'Written; this point cannot be read back', mismatch: 'Written, but the read-back differs', rejected: 'Rejected, nothing was written', expired: 'Expired, nothing was written', failed: 'The device or line refused it', unknown: 'No answer to the write; check on site' },
    short: { pending: 'Pending', delivered: 'Delivered', verified: 'Verified', written: 'Written', mismatch: 'Mismatch', rejected: 'Rejected', expired: 'Expired', failed: 'Failed', unknown: 'Unknown' },
    noneWritable: 'This device has no point to command', issued: '{who} at {time}', viewer: 'This account may only read; it cannot send commands.',
  },
  cases: {
    title: 'Cases', new: 'New case', newTitle: 'New case', fromEvent: 'From event {n}', titleZh: 'Title', description: 'Description', descriptionPlaceholder: 'What is seen, what is affected, what has been done', create: 'Create case', created: 'Case {n} created', empty: 'No cases match', emptyHint: 'Alarms open events; an event becomes a case.', filter: { open: 'Open', closed: 'Closed', all: 'All' },
    state: { PENDING_DISPATCH: 'To dispatch', HANDLING: 'Handling', PENDING_CHECK: 'To check', PENDING_CLOSE: 'To close', CLOSED: 'Closed', VOIDED: 'Voided' },
    assign: 'Assign', assignTitle: 'Assign to a unit', assignTo: 'Unit', due: 'Time limit', dueIn: 'limit {n}', dueAt: 'due {time}', left: '{span} left', overdueBy: '{span} overdue', onTime: 'in time', noDue: 'no limit', closeCase: 'Close case', closeTitle: 'Close case', resolution: 'Resolution', resolutionPlaceholder: 'Cause, measure and result', void: 'Void', voidTitle: 'Void case', voidReason: 'Reason', needed: 'This is needed.', unitNeeded: 'Choose a unit.', opened: 'Opened', openedBy: 'by {who}', reworks: 'Reworked {n}×', timeline: 'Timeline', tasks: 'Task', noTasks: 'Not yet dispatched', noTasksHint: 'Once assigned, the unit accepts, arrives and reports here.', alarms: 'Alarms', noAlarms: 'No alarms', done: 'Done', event: 'From event', number: 'Number', unit: 'Unit', next: 'Next step', closedAt: 'Closed', finished: 'The case is closed; every step is kept.',
    stage: { filed: 'Filed', dispatched: 'Dispatched', accepted: 'Accepted', onSite: 'On site', done: 'Handled', checked: 'Verified', closed: 'Closed' },
    task: { assigned: 'To accept', accepted: 'Accepted', on_site: 'On site', done: 'To verify', verified: 'Verified', refused: 'Refused' },
    act: { accept: 'Accept', 'on-site': 'On site', done: 'Done', verify: 'Verify', rework: 'Rework', refuse: 'Refuse' },
    action: { create: 'Filed', open: 'Filed', opened: 'Filed', file: 'Filed', filed: 'Filed', submit: 'Filed', assign: 'Assigned', dispatch: 'Dispatched', accept: 'Accepted', 'on-site': 'On site', on_site: 'On site', done: 'Handled', finish: 'Handled', verify: 'Verified', check: 'Checked', rework: 'Sent back for rework', refuse: 'Refused', close: 'Closed', void: 'Voided', join: 'Alarm joined', comment: 'Comment' },
    unitKind: { maintenance: 'Maintenance', river: 'River', gas: 'Gas', sanitation: 'Sanitation', water: 'Water', drainage: 'Drainage', power: 'Power', road: 'Roads', traffic: 'Traffic', environment: 'Environment', lighting: 'Lighting', fire: 'Fire', police: 'Police', city: 'City services', emergency: 'Emergency' },
  },
  events: {
    title: 'Events', empty: 'No events', emptyHint: 'P1 and P2 alarms open events by themselves.', state: { reported: 'Reported', verified: 'Verified', responding: 'Responding', controlled: 'Controlled', closed: 'Closed' }, alarms: '{n} alarm | {n} alarms', openCase: 'Open a case', toCase: 'Show case', opened: 'Opened', filter: { open: 'Open', closed: 'Closed', all: 'All' },
  },
  gateway: {
    title: 'Gateways', state: { pending: 'To enrol', online: 'Online', degraded: 'Degraded', offline: 'Offline', revoked: 'Revoked' }, lag: 'Lag', backlog: 'Backlog', offset: 'Clock offset', lastSeen: 'Last seen', software: 'Software', points: 'Points', devices: 'Devices', setAside: 'Set aside', readings: '{n} reading | {n} readings', batches: '{n} batch | {n} batches', enrol: 'Enrol a gateway', enrolTitle: 'Enrol a gateway', id: 'Gateway id', idHint: 'Lower-case letters, digits, - or _, such as gw-north', idBad: 'Start with a lower-case letter or digit; use only lower-case letters, digits, - and _.', nameOptional: 'Name (optional)', code: 'One-time code', codeHint: 'Shown this once. Run the command below on the gateway before {time}.', create: 'Make a code', newCode: 'New code', revoke: 'Revoke', revokeTitle: 'Revoke gateway', revokeText: 'The centre will take no more data from {id} until it is enrolled again. What it has buffered is not lost.', revoked: 'Revoked', empty: 'No gateways yet', emptyHint: 'Make a one-time code and run the enrolment on the gateway in the field.', none: 'none', setAsideHint: 'Batches that the centre refused are kept on the gateway; call maintenance.', never: 'never', command: 'Enrolment command',
  },
}
export default en
