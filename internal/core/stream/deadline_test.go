package stream

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		start := time.Now()
		in := func(n time.Duration) time.Time { return start.Add(n * time.Second) }
		expect := func(step string, passed bool) {
			t.Helper()
			synctest.Wait()
			if d.passed() != passed {
				t.Errorf("%s, after %v: passed is %v", step, time.Since(start), !passed)
			}
			select {
			case <-d.wait():
				if !passed {
					t.Errorf("%s, after %v: wait returns", step, time.Since(start))
				}
			default:
				if passed {
					t.Errorf("%s, after %v: wait does not return", step, time.Since(start))
				}
			}
		}
		expect("zero value", false)
		waiting := d.wait()
		d.setTime(in(10))
		time.Sleep(9 * time.Second)
		expect("before it", false)
		d.setTime(in(20))
		time.Sleep(2 * time.Second)
		expect("moved", false)
		if d.wait() != waiting {
			t.Error("who waited before it was moved waits for something else")
		}
		time.Sleep(9 * time.Second)
		expect("after it", true)
		<-waiting
		d.setTime(in(15))
		expect("moved into the past", true)
		d.setTime(time.Time{})
		expect("taken away", false)
		d.setTime(in(30))
		d.setTime(time.Time{})
		time.Sleep(time.Minute)
		expect("taken away before it", false)
		d.setTime(time.Now())
		expect("now", true)
	})
}
