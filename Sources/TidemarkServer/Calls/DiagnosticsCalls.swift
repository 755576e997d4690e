internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Echo and GetServerInfo.
extension LoopDispatcher {
  func echo(_ call: IncomingCall) throws(CallFailure) -> CallDisposition {
    let request: Echo = try decode(call)
    return .reply(reply(request))
  }

  func getServerInfo(_ call: IncomingCall, _ principal: Principal) throws(CallFailure) -> CallDisposition {
    let _: GetServerInfoRequest = try decode(call)
    let uptime = service.clock.uptimeNanoseconds() &- service.startedNanoseconds
    var info = GetServerInfoResponse(
      version: TidemarkService.version, serverTime: service.clock.now(), uptimeMicroseconds: uptime / 1_000,
      principal: principal.name, isDevelopment: service.authenticator.isDevelopment, isAdmin: principal.isAdminEverywhere)
    info.node = service.nodeName
    // How much is written, and where, is not for everybody who may read one space.
    if principal.isAdminEverywhere {
      let statistics = service.writer.statistics
      info.commits = statistics.commits
      info.changesCommitted = statistics.changes
      info.writes = service.counters.all
      info.connections = service.storeConnections().map { StoreConnections($0) }
    }
    return .reply(reply(info))
  }
}

extension StoreConnections {
  init(_ counts: ConnectionCounts) {
    self.init()
    sizeMax = UInt32(clamping: counts.sizeMax)
    overflowMax = UInt32(clamping: counts.overflowMax)
    idle = UInt32(clamping: counts.idle)
    inUse = UInt32(clamping: counts.inUse)
    waiting = UInt32(clamping: counts.waiting)
    leases = counts.leases
    waits = counts.waits
    waitedMicroseconds = counts.waitedMicroseconds
    timeouts = counts.timeouts
    opened = counts.opened
    openFailures = counts.openFailures
    closedRecycled = counts.closedRecycled
    closedBroken = counts.closedBroken
    closedOverflow = counts.closedOverflow
    checksFailed = counts.checksFailed
  }
}
