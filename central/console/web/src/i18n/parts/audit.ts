import { words } from '../words'

/** What a request of the audit trail did, by the API's name of it; a test sees that each has words. */
export default words(
  {
    deed: {
      signIn: '登录', signOut: '退出登录', finishOidc: '统一身份认证登录', changeOwnPassword: '修改本人密码', beginTotp: '开始启用两步验证', confirmTotp: '启用两步验证', removeTotp: '关闭两步验证', renewRecoveryCodes: '重新生成恢复码', endOwnSession: '结束本人的登录会话',
      createUser: '新建账号', changeUser: '修改账号', deleteUser: '删除账号', putRole: '保存角色', deleteRole: '删除角色', createToken: '生成本人令牌', deleteToken: '结束本人令牌', revokeToken: '吊销令牌', createServiceToken: '为账号生成令牌', endSession: '结束他人的登录会话', resetTotp: '重置他人的两步验证', putPolicy: '修改安全策略',
      actOnAlarms: '批量处置报警', overlayAlarms: '批量搁置或停用报警', layCover: '设置检修窗口或抑制', endCover: '结束检修窗口或抑制', foldAlarms: '折叠报警风暴', unfoldAlarms: '展开报警风暴', saveAlarmView: '保存报警视图', deleteAlarmView: '删除报警视图',
      acknowledgeAlarm: '确认报警', resetAlarm: '复位报警', shelveAlarm: '搁置报警', unshelveAlarm: '取消搁置', suspendAlarm: '停用报警', returnAlarm: '恢复报警使用', takeSnapshot: '立即抓拍',
      createGateway: '登记网关', renewEnrolmentCode: '重新生成接入码', revokeGateway: '吊销网关', pushConfiguration: '下发网关配置', rotateToken: '更换网关令牌', updateGateway: '升级网关软件', acceptAuditTrail: '确认网关审计链',
      saveTrendView: '保存趋势视图', deleteTrendView: '删除趋势视图', closeEvent: '关闭事件', openCase: '立案', assignCase: '派遣案件', closeCase: '结案', voidCase: '作废案件', moveTask: '推进任务', sendCommand: '下发控制命令',
      importRegistry: '导入台账', attachFile: '上传附件', removeAttachment: '删除附件', registerThing: '登记台账', changeThing: '修改台账', moveThing: '变更生命周期', setKindRetention: '设置某类设备的数据保留', setPointRetention: '设置测点的数据保留',
      takeWallLink: '大屏登录', saveWallLayout: '保存大屏布局', removeWallLayout: '删除大屏布局', makeWallScreen: '新建大屏', renewWallLink: '重新生成大屏链接', revokeWallScreen: '停用大屏',
      makeNoticeChannel: '新建通知渠道', changeNoticeChannel: '修改通知渠道', deleteNoticeChannel: '删除通知渠道', testNoticeChannel: '测试通知渠道', makeSubscription: '新建通知订阅', changeSubscription: '修改通知订阅', deleteSubscription: '删除通知订阅', makeEscalation: '新建升级规则', changeEscalation: '修改升级规则', deleteEscalation: '删除升级规则',
      putTemplate: '修改通知模板', resetTemplate: '恢复内置模板', previewTemplate: '预览通知模板', replayNotice: '重发通知', makeWebhook: '新建对外推送', changeWebhook: '修改对外推送', deleteWebhook: '删除对外推送', renewWebhookSecret: '更换推送密钥', pingWebhook: '测试对外推送', replayWebhookDelivery: '重发推送',
      addUser: '新建或重设账号', setRetention: '设置数据保留', backup: '备份', restore: '从备份恢复',
    },
    thing: { user: '账号', role: '角色', session: '登录会话', policy: '安全策略', token: '令牌', site: '站点', gateway: '网关', device: '设备', point: '测点', channel: '通知渠道', subscription: '通知订阅', escalation: '升级规则', template: '通知模板', webhook: '对外推送', retention: '数据保留', layout: '大屏布局', screen: '大屏' },
    unknown: '未知地址', and: '、', via: { session: '登录会话', token: '令牌', none: '未登录', cli: '命令行' },
  },
  {
    deed: {
      signIn: 'Signed in', signOut: 'Signed out', finishOidc: 'Signed in elsewhere', changeOwnPassword: 'Changed own password', beginTotp: 'Began to set up a second factor', confirmTotp: 'Set up a second factor', removeTotp: 'Removed own second factor', renewRecoveryCodes: 'Made new recovery codes', endOwnSession: 'Ended an own session',
      createUser: 'Made an account', changeUser: 'Changed an account', deleteUser: 'Removed an account', putRole: 'Saved a role', deleteRole: 'Removed a role', createToken: 'Made an own token', deleteToken: 'Ended an own token', revokeToken: 'Revoked a token', createServiceToken: 'Made a token for an account', endSession: 'Ended somebody’s session', resetTotp: 'Reset somebody’s second factor', putPolicy: 'Changed the policy',
      actOnAlarms: 'Answered alarms', overlayAlarms: 'Shelved or suspended alarms', layCover: 'Laid a maintenance window or suppression', endCover: 'Ended a maintenance window or suppression', foldAlarms: 'Folded a storm', unfoldAlarms: 'Unfolded a storm', saveAlarmView: 'Saved an alarm view', deleteAlarmView: 'Deleted an alarm view',
      acknowledgeAlarm: 'Acknowledged an alarm', resetAlarm: 'Reset an alarm', shelveAlarm: 'Shelved an alarm', unshelveAlarm: 'Unshelved an alarm', suspendAlarm: 'Took an alarm out of service', returnAlarm: 'Returned an alarm to service', takeSnapshot: 'Asked for a picture',
      createGateway: 'Registered a gateway', renewEnrolmentCode: 'Made a new enrolment code', revokeGateway: 'Revoked a gateway', pushConfiguration: 'Pushed a configuration', rotateToken: 'Rotated a gateway’s token', updateGateway: 'Updated a gateway’s software', acceptAuditTrail: 'Accepted a gateway’s audit trail',
      saveTrendView: 'Saved a trend', deleteTrendView: 'Deleted a trend', closeEvent: 'Closed an event', openCase: 'Opened a case', assignCase: 'Dispatched a case', closeCase: 'Closed a case', voidCase: 'Voided a case', moveTask: 'Moved a task', sendCommand: 'Commanded a device',
      importRegistry: 'Imported into the registry', attachFile: 'Attached a file', removeAttachment: 'Removed a file', registerThing: 'Registered a thing', changeThing: 'Changed a thing', moveThing: 'Changed a lifecycle', setKindRetention: 'Set how long a kind’s data are kept', setPointRetention: 'Set how long a point’s data are kept',
      takeWallLink: 'Wall screen signed in', saveWallLayout: 'Saved a wall layout', removeWallLayout: 'Removed a wall layout', makeWallScreen: 'Made a wall screen', renewWallLink: 'Made a new wall link', revokeWallScreen: 'Revoked a wall screen',
      makeNoticeChannel: 'Made a channel', changeNoticeChannel: 'Changed a channel', deleteNoticeChannel: 'Removed a channel', testNoticeChannel: 'Tried a channel', makeSubscription: 'Made a subscription', changeSubscription: 'Changed a subscription', deleteSubscription: 'Removed a subscription', makeEscalation: 'Made an escalation', changeEscalation: 'Changed an escalation', deleteEscalation: 'Removed an escalation',
      putTemplate: 'Changed a template', resetTemplate: 'Put back the built-in template', previewTemplate: 'Previewed a template', replayNotice: 'Sent a notice again', makeWebhook: 'Made a webhook', changeWebhook: 'Changed a webhook', deleteWebhook: 'Removed a webhook', renewWebhookSecret: 'Renewed a webhook’s secret', pingWebhook: 'Tried a webhook', replayWebhookDelivery: 'Sent a webhook message again',
      addUser: 'Made or reset an account', setRetention: 'Set how long data are kept', backup: 'Took a backup', restore: 'Restored a backup',
    },
    thing: { user: 'Account', role: 'Role', session: 'Session', policy: 'Policy', token: 'Token', site: 'Site', gateway: 'Gateway', device: 'Device', point: 'Point', channel: 'Channel', subscription: 'Subscription', escalation: 'Escalation', template: 'Template', webhook: 'Webhook', retention: 'Retention', layout: 'Wall layout', screen: 'Wall screen' },
    unknown: 'Unknown address', and: ', ', via: { session: 'session', token: 'token', none: 'not signed in', cli: 'command line' },
  },
)
