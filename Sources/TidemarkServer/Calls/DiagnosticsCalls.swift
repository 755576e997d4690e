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
    // How much is written, and where, is not for everybody who may read one space.
    if principal.isAdminEverywhere {
      let statistics = service.writer.statistics
      info.commits = statistics.commits
      info.changesCommitted = statistics.changes
      info.writes = service.counters.all
    }
    return .reply(reply(info))
  }
}
