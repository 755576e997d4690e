import Testing
import TidemarkTesting

@testable import TidemarkStore

@Suite struct PollScheduleTests {
  private static let millisecond: UInt64 = 1_000_000

  /// A schedule and the time.
  private struct World {
    var schedule = PollSchedule()
    var now: UInt64 = 7_000_000_000

    mutating func next(isWanted: Bool = false) -> PollSchedule.Step { schedule.next(now: now, isWanted: isWanted) }

    mutating func poll(taking duration: UInt64 = PollScheduleTests.millisecond, isGood: Bool = true, random: UInt64 = 0) {
      schedule.begin(now: now)
      now += duration
      schedule.end(now: now, isGood: isGood, random: random)
    }
  }

  @Test func nobodyInterestedNothingIsAsked() {
    var world = World()
    #expect(world.next() == .sleep)
    world.schedule.ask()
    #expect(world.next() == .poll)
    world.poll()
    #expect(world.next() == .sleep)
  }

  @Test func whileSomebodyIsInterestedAPollBeginsEvery25MillisecondsAndForASecondAfter() {
    var world = World()
    #expect(world.next(isWanted: true) == .poll)
    let last = world.now
    world.poll()
    #expect(world.next() == .wait(24 * PollScheduleTests.millisecond))
    world.now += 24 * PollScheduleTests.millisecond
    var polls = 1
    while world.next() == .poll {
      polls += 1
      world.poll()
      world.now += 24 * PollScheduleTests.millisecond
    }
    #expect(world.next() == .sleep)
    #expect(world.now - last >= PollSchedule.idleAfter && polls == 40)
  }

  @Test(arguments: [(1, 25), (4, 32), (10, 80), (70, 80)] as [(UInt64, UInt64)])
  func pollsThatTakeLongComeLessOftenAndNeverLaterThan80Milliseconds(_ duration: UInt64, _ interval: UInt64) {
    var world = World()
    #expect(world.next(isWanted: true) == .poll)
    world.poll(taking: duration * PollScheduleTests.millisecond)
    #expect(world.next(isWanted: true) == .wait((interval - duration) * PollScheduleTests.millisecond))
  }

  @Test func aPollThatIsAskedForBeginsSoonAndHoweverManyAskOneAnswersAll() {
    var world = World()
    var polls = 0
    let start = world.now
    while world.now < start + 100 * PollScheduleTests.millisecond {
      world.schedule.ask()
      if world.next() == .poll {
        polls += 1
        world.poll(taking: 100_000)
      }
      world.now += 50_000
    }
    #expect(polls <= 21 && polls >= 18)
    world.schedule.ask()
    guard case .wait(let rest) = world.next() else { return }
    #expect(rest <= PollSchedule.askedIntervalMin)
  }

  @Test func aDatabaseThatDoesNotAnswerIsAskedLessAndLessOftenWhoeverAsks() {
    var random = SeededGenerator(seed: 1)
    var world = World()
    var waits: [UInt64] = []
    for _ in 0..<10 {
      world.schedule.ask()
      #expect(world.next(isWanted: true) == .poll)
      world.poll(isGood: false, random: random.next())
      world.schedule.ask()
      guard case .wait(let rest) = world.next(isWanted: true) else {
        Issue.record("asked again at once")
        return
      }
      waits.append(rest)
      world.now += rest
    }
    #expect(waits[0] >= 25 * PollScheduleTests.millisecond && waits[0] <= 50 * PollScheduleTests.millisecond)
    #expect(waits.allSatisfy { $0 <= PollSchedule.failureWaitMax })
    #expect(waits[9] >= PollSchedule.failureWaitMax / 2)
    #expect(world.schedule.confirmed == nil)
    world.poll()
    #expect(world.schedule.confirmed != nil)
    #expect(world.next(isWanted: true) == .wait(24 * PollScheduleTests.millisecond))
  }
}
