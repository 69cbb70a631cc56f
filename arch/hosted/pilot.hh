// For test/explore: from here to there the host's script decides who goes on, not the seed (HostedPilot in host/host_api.hh).
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace hosted {

void pilot_begin();
void pilot_end();

// Stores *word = value late, as a CPU with a store buffer may: other CPUs see it when this one comes to a full barrier, or drains. One
// at a time and per CPU. Only code built with CF_RACE_POINTS takes notice.
void delay_store(unsigned* word, unsigned value);
void drain_stores();

}  // namespace hosted
